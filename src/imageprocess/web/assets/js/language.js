// Sets the page's language and direction before the first paint. A classic script, because modules run too late.

{
  const requested = new URLSearchParams(location.search).get("lang");
  let saved = null;
  try {
    if (requested === "en" || requested === "he") localStorage.setItem("language", requested);
    saved = localStorage.getItem("language");
  } catch {
    saved = requested; // storage is disabled
  }
  const language = (saved ?? navigator.language).startsWith("he") ? "he" : "en";
  const page = document.documentElement;
  page.lang = language;
  page.dir = language === "he" ? "rtl" : "ltr";
  if (language !== "en") page.dataset.texts = "waiting"; // the page is written in English: hide it until i18n.js has translated it
}
