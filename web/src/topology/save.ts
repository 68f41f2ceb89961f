// The picture as a file: with its styles in it, in light colours, for print.

export function save(svg: SVGSVGElement, name: string): void {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.removeAttribute("width");
  copy.removeAttribute("height");
  for (const link of copy.querySelectorAll("a")) link.removeAttribute("href");
  const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
  style.textContent = rules();
  copy.prepend(style);
  const url = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${name}.svg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url));
}

// those of the picture, and the colours of light
function rules(): string {
  const found: string[] = [];
  for (const sheet of document.styleSheets)
    for (const rule of sheet.cssRules) {
      if (!(rule instanceof CSSStyleRule)) continue;
      if (rule.selectorText === ":root") found.push(rule.cssText.replace(":root", "svg"));
      else if (rule.selectorText.includes(".picture")) found.push(rule.cssText);
    }
  return found.join("\n");
}
