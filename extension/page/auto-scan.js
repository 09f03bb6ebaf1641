// On sites that are always checked: scans every page when it opens, and its same-site frames, but not such frames in pages
// of other sites.

if (location.ancestorOrigins ? [...location.ancestorOrigins].every((origin) => origin === location.origin) : window === top) {
  imageprocess.scan.start();
}
