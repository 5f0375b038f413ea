package reports

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
)

// Size of a chart in pixels; a mail shows it at half of that, so that it is sharp on a phone.
const (
	chartWidth  = 240
	chartHeight = 56
	chartMargin = 8
	chartLine   = 4.0
	chartDot    = 6.0
)

// draw makes the chart of a number as PNG: a line from zero up, gaps where there is no value, a dot on the reported
// bucket. It has no ground and colours that can be seen on light and on dark. nil where there is nothing to draw.
func draw(values []*float64) []byte {
	top, any := 0.0, false
	for _, v := range values {
		if v != nil {
			top, any = max(top, *v), true
		}
	}
	if !any || len(values) < 2 {
		return nil
	}
	if top <= 0 {
		top = 1
	}
	x := func(i int) float64 {
		return chartMargin + float64(i)*(chartWidth-2*chartMargin)/float64(len(values)-1)
	}
	y := func(v float64) float64 {
		return chartHeight - chartMargin - max(0, v)/top*(chartHeight-2*chartMargin)
	}
	// A palette of one colour, from nothing to full, keeps the file small.
	palette := color.Palette{color.NRGBA{}}
	for i := 1; i <= 15; i++ {
		palette = append(palette, color.NRGBA{0x4f, 0x8a, 0xd8, uint8(i * 17)})
	}
	for i := 1; i <= 15; i++ {
		palette = append(palette, color.NRGBA{0x8a, 0x93, 0xa0, uint8(i * 17)})
	}
	img := image.NewPaletted(image.Rect(0, 0, chartWidth, chartHeight), palette)
	for px := range chartWidth {
		img.SetColorIndex(px, chartHeight-2, 20)
	}
	put := func(px, py int, cover float64) {
		if px < 0 || py < 0 || px >= chartWidth || py >= chartHeight {
			return
		}
		shade := uint8(math.Round(15 * min(1, cover)))
		if old := img.ColorIndexAt(px, py); shade > 0 && (old > 15 || shade > old) {
			img.SetColorIndex(px, py, shade)
		}
	}
	stroke := func(x1, y1, x2, y2, width float64) {
		for py := int(min(y1, y2) - width); py <= int(max(y1, y2)+width); py++ {
			for px := int(min(x1, x2) - width); px <= int(max(x1, x2)+width); px++ {
				if d := distance(float64(px)+0.5, float64(py)+0.5, x1, y1, x2, y2); d < width/2+0.5 {
					put(px, py, width/2+0.5-d)
				}
			}
		}
	}
	for i, v := range values {
		if v == nil {
			continue
		}
		if i > 0 && values[i-1] != nil {
			stroke(x(i-1), y(*values[i-1]), x(i), y(*v), chartLine)
		} else if i+1 == len(values) || values[i+1] == nil {
			stroke(x(i), y(*v), x(i), y(*v), chartDot)
		}
		if i == len(values)-1 {
			stroke(x(i), y(*v), x(i), y(*v), 2*chartDot)
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, img); err != nil {
		panic(err) // into memory: it cannot happen
	}
	return out.Bytes()
}

// distance is that of a point from a stretch.
func distance(px, py, x1, y1, x2, y2 float64) float64 {
	dx, dy := x2-x1, y2-y1
	t := 0.0
	if l := dx*dx + dy*dy; l > 0 {
		t = max(0, min(1, ((px-x1)*dx+(py-y1)*dy)/l))
	}
	return math.Hypot(px-x1-t*dx, py-y1-t*dy)
}
