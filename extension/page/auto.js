// On sites that the user has allowed: every page is scanned as it opens.

imageprocess.scan.start();
