// Before anything is painted: which language, and which way it runs. The one classic script, for it must not wait.

{
  const asked = new URLSearchParams(location.search).get("lang");
  let kept = null;
  try {
    if (asked === "en" || asked === "he") localStorage.setItem("language", asked);
    kept = localStorage.getItem("language");
  } catch {
    kept = asked; // storage is switched off
  }
  const language = (kept ?? navigator.language).startsWith("he") ? "he" : "en";
  const page = document.documentElement;
  page.lang = language;
  page.dir = language === "he" ? "rtl" : "ltr";
  if (language !== "en") page.dataset.texts = "waiting"; // the page is written in English: its texts follow
}
