// Runs before the page is drawn, so that the chosen theme never flashes the other.
(() => {
  const chosen = localStorage.getItem("cairn-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
