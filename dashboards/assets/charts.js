// Draws the charts whose options stand in the page as JSON. Colours are looked up in the stylesheet, so that a chart
// follows the theme; numbers on axes are written as in the rest of the page.
(() => {
  const css = () => getComputedStyle(document.documentElement);
  const hasName = (v) => typeof v === "string" && v.startsWith("var(");

  // coloured returns the options with the names of colours replaced by what they are in this theme.
  function coloured(v, style) {
    if (hasName(v)) return style.getPropertyValue(v.slice(4, -1)).trim();
    if (Array.isArray(v)) return v.map((x) => coloured(x, style));
    if (v && typeof v === "object") return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, coloured(x, style)]));
    return v;
  }

  const digits = (v) => Number(v.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
  function duration(hours) {
    if (hours === 0) return "0";
    if (Math.abs(hours) < 1) return `${digits(hours * 60)} min`;
    return Math.abs(hours) < 48 ? `${digits(hours)} h` : `${digits(hours / 24)} d`;
  }
  const written = {
    hours: duration,
    days: (v) => duration(v * 24),
    ratio: (v) => `${digits(v * 100)} %`,
    "share of respondents": (v) => `${digits(v * 100)} %`,
  };

  // Durations are cut where people cut them: at minutes, hours, days, weeks and months, here in hours.
  const steps = [1 / 60, 5 / 60, 10 / 60, 0.5, 1, 2, 3, 6, 12, 24, 48, 72, 120, 168, 336, 720, 1440, 2160, 4320, 8760];
  const marks = [1 / 60, 10 / 60, 1, 6, 24, 72, 168, 720, 2160, 8760];
  function cutDurations(axis, options, unit, narrow) {
    const perHour = unit === "days" ? 1 / 24 : 1;
    if (axis.type === "log") {
      const values = marks.map((m) => m * perHour);
      axis.axisLabel.customValues = values;
      axis.axisTick.customValues = values;
      return;
    }
    const along = options.xAxis.includes(axis) ? 0 : null;
    const totals = new Map();
    let most = 0;
    for (const s of options.series) (s.data ?? []).forEach((d, i) => {
      let v = along === null ? d?.value : d?.value?.[along];
      if (typeof v !== "number") return;
      if (s.stack) totals.set(i, v += totals.get(i) ?? 0);
      most = Math.max(most, v);
    });
    const step = steps.find((s) => most / (s * perHour) <= (narrow ? 4 : 6));
    if (step && most > 0) Object.assign(axis, { interval: step * perHour, max: Math.ceil(most / (step * perHour)) * step * perHour });
  }

  function draw(element) {
    const source = document.querySelector(`script[data-chart="${element.id}"]`);
    const style = css();
    const options = coloured(JSON.parse(source.textContent), style);
    const ink = style.getPropertyValue("--ink-soft").trim(), line = style.getPropertyValue("--line").trim();
    const format = written[element.dataset.unit];
    options.animation = false;
    options.textStyle = { fontFamily: "inherit", color: ink };
    options.backgroundColor = "transparent";
    if (options.rows) element.style.height = `${Math.max(120, options.rows * 24 + 72)}px`;
    const narrow = element.clientWidth < 480;
    for (const axis of [...options.xAxis, ...options.yAxis]) {
      axis.nameTextStyle = { color: ink, align: axis.type === "value" || axis.type === "log" ? "left" : "center" };
      axis.axisLine = { lineStyle: { color: line } };
      axis.axisTick = { show: false };
      axis.axisLabel = { ...axis.axisLabel, color: ink, hideOverlap: true };
      axis.splitLine = { show: axis.type === "value" || axis.type === "log", lineStyle: { color: line } };
      if ((axis.type === "value" || axis.type === "log") && format) axis.axisLabel.formatter = format;
      if (axis.type === "value") axis.splitNumber = narrow ? 3 : 4;
      if (axis.type === "category" && axis.inverse) {
        // Names of services: as much room as the longest needs, up to a quarter of the chart.
        const room = Math.min(7.2 * Math.max(...axis.data.map((n) => n.length)), element.clientWidth * (narrow ? 0.3 : 0.25));
        Object.assign(axis.axisLabel, { width: room, overflow: "truncate", interval: 0, hideOverlap: false });
        for (const g of options.grid) Object.assign(g, { left: room + 16, containLabel: false, outerBoundsMode: "none", bottom: 48 });
      }
      axis.axisLabel.fontSize = 12;
      if ((axis.type === "value" || axis.type === "log") && (format === duration || format === written.days)) cutDurations(axis, options, element.dataset.unit, narrow);
    }
    for (const s of options.series) {
      if (s.type === "scatter") {
        s.symbolSize = s.name === "deployment" ? [3, 14] : 10;
        for (const d of s.data ?? []) delete d.symbolSize;
        s.cursor = "default";
      }
    }
    if (options.legend?.show) options.legend.textStyle = { color: ink };
    options.tooltip = {
      ...options.tooltip, renderMode: "richText", confine: true, backgroundColor: style.getPropertyValue("--raised").trim(),
      borderColor: style.getPropertyValue("--line-strong").trim(), textStyle: { color: style.getPropertyValue("--ink").trim(), fontSize: 13 },
      formatter: (about) => {
        const list = Array.isArray(about) ? about : [about];
        return list.map((p) => p.data?.name).filter(Boolean).join("\n") || "";
      },
    };
    echarts.getInstanceByDom(element)?.dispose();
    const chart = echarts.init(element, null, { renderer: "svg" });
    chart.setOption(options);
    const links = JSON.parse(element.dataset.links ?? "[]");
    chart.on("click", (about) => { const to = about.data?.value?.[2] ?? links[about.dataIndex]; if (typeof to === "string" && to.startsWith("/")) location.href = to; });
    element.dataset.drawn = "true";
    return chart;
  }

  const elements = [...document.querySelectorAll(".chart")];
  const all = () => elements.forEach(draw);
  all();
  document.addEventListener("cairn:theme", all);
  let waiting = 0;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(all, 150); });
  addEventListener("beforeprint", () => elements.forEach((e) => echarts.getInstanceByDom(e)?.resize()));
})();
