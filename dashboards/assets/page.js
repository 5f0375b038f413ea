// The choice of a theme, keys, and copying. Every page works without it.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const current = () => root.dataset.theme || (dark.matches ? "dark" : "light");

  const button = document.querySelector("[data-theme-switch]");
  const name = () => { button.textContent = current() === "dark" ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to the ${button.textContent.toLowerCase()} theme`); };
  if (button) {
    button.hidden = false;
    name();
    button.addEventListener("click", () => {
      const other = current() === "dark" ? "light" : "dark";
      root.dataset.theme = other;
      localStorage.setItem("cairn-theme", other);
      name();
      document.dispatchEvent(new Event("cairn:theme"));
    });
    dark.addEventListener("change", () => { name(); document.dispatchEvent(new Event("cairn:theme")); });
  }

  for (const b of document.querySelectorAll("[data-copy]")) {
    b.hidden = false;
    b.addEventListener("click", async () => {
      const said = b.textContent;
      try { await navigator.clipboard.writeText(new URL(b.dataset.copy, location.href).href); b.textContent = "Copied"; } catch { b.textContent = "Copying is not allowed here"; }
      setTimeout(() => { b.textContent = said; }, 1500);
    });
  }

  document.addEventListener("keydown", (e) => {
    if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
    const field = document.querySelector("[data-search]");
    e.preventDefault();
    if (field) { field.focus(); field.select(); } else location.href = "/services#search";
  });
})();
