// On sites that the user has allowed: every page is scanned as it opens, and its frames of the same site, but no such
// frame in a page of another site.

if (location.ancestorOrigins ? [...location.ancestorOrigins].every((origin) => origin === location.origin) : window === top) {
  imageprocess.scan.start();
}
