// Runs before the first paint, so that nobody is shown the wrong theme; and says that scripts run, for what needs them.
document.documentElement.dataset.js = "";
try {
  const chosen = localStorage.getItem("theme");
  if (!document.documentElement.dataset.theme && (chosen === "dark" || chosen === "light")) document.documentElement.dataset.theme = chosen;
} catch {}
