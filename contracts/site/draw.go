package site

import (
	"slices"
	"strconv"
	"strings"
)

// drawing is an SVG: boxes, lines and arrowheads at places that are worked out here, styled by the style sheet.
type drawing struct {
	Width, Height int
	Boxes         []box
	Rows          []row
	Lanes         []lane
	Lines         []line
}

type box struct {
	X, Y, W, H, TextX, TextY int
	Text, Link, Class        string
}

// row is an event of the map: its topic, and a line that stops at every consumer.
type row struct {
	Y, Middle, Left, TextX, Text, From, To int
	Type, Link                             string
	Stops                                  []stop
}

type stop struct {
	X, Y     int
	Arrow    string // the points of its arrowhead
	Consumer string
}

// lane is a consumer of the map: a vertical line with its name at both ends.
type lane struct {
	X, Top, Bottom, TextTop, TextBottom int
	Consumer                            string
}

type line struct {
	X1, Y1, X2, Y2 int
	Arrow          string
}

// The measures of the map.
const (
	rowHeight  = 26
	groupGap   = 14
	laneWidth  = 40
	sourceLeft = 8
	sourceW    = 164
	eventLeft  = 196
	eventW     = 216
	lanesLeft  = eventLeft + eventW + 38
	headHeight = 96
)

// drawMap lays the platform out as a railway plan: a row per event, beginning at its publisher, and a lane per consumer. A
// row's line stops where somebody hears it, so that no two arrows ever cross each other's path unseen.
func drawMap(all []*event) *drawing {
	consumers := consumersOf(all)
	m := &drawing{Width: lanesLeft + laneWidth*len(consumers) + 64}
	y := headHeight
	for _, group := range byPublisher(all) {
		top := y
		for _, e := range group.Events {
			m.Rows = append(m.Rows, rowOf(e, y, consumers))
			y += rowHeight
		}
		m.Boxes = append(m.Boxes, box{X: sourceLeft, Y: top, W: sourceW, H: y - top - 4, TextX: sourceLeft + sourceW/2, TextY: (top+y-4)/2 + 4,
			Text: strings.TrimSuffix(group.Service, "-service"), Class: "service"})
		y += groupGap
	}
	bottom := y - groupGap
	for i, name := range consumers {
		m.Lanes = append(m.Lanes, lane{X: lanesLeft + i*laneWidth, Top: headHeight - 6, Bottom: bottom + 4, TextTop: headHeight - 12, TextBottom: bottom + 18, Consumer: name})
	}
	m.Height = bottom + headHeight
	return m
}

func rowOf(e *event, y int, consumers []string) row {
	middle := y + (rowHeight-4)/2
	r := row{Y: y, Middle: middle, Left: eventLeft, TextX: eventLeft + eventW/2, Text: middle + 4, From: eventLeft + eventW, To: eventLeft + eventW, Type: e.Label, Link: "events/" + e.Page + ".html"}
	for i, name := range consumers {
		if slices.Contains(e.Consumers, name) {
			x := lanesLeft + i*laneWidth
			r.Stops = append(r.Stops, stop{X: x, Y: middle, Arrow: arrowhead(x-3, middle), Consumer: name})
			r.To = x
		}
	}
	return r
}

// consumersOf are the consumers, first those that publish too, in the order in which events name them.
func consumersOf(all []*event) (names []string) {
	for _, e := range all {
		for _, name := range e.Consumers {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// arrowhead points to the right, with its tip at x, y.
func arrowhead(x, y int) string {
	return points([][2]int{{x, y}, {x - 7, y - 4}, {x - 7, y + 4}})
}

// drawEvent shows one event between its publisher and its consumers.
func drawEvent(e *event) *drawing {
	const height, gap = 30, 10
	n := max(len(e.Consumers), 1)
	d := &drawing{Width: 740, Height: n*(height+gap) + 6}
	middle := (d.Height - height) / 2
	place := func(x, y, w int, text, class string) box {
		return box{X: x, Y: y, W: w, H: height, TextX: x + w/2, TextY: y + height/2 + 4, Text: text, Class: class}
	}
	d.Boxes = append(d.Boxes, place(4, middle, 180, e.Service, "service"), place(224, middle, 320, e.Topic, "topic"))
	d.Lines = append(d.Lines, line{184, middle + height/2, 218, middle + height/2, arrowhead(223, middle+height/2)})
	for i, name := range e.Consumers {
		y := 3 + i*(height+gap)
		d.Boxes = append(d.Boxes, place(600, y, 134, name, "service"))
		d.Lines = append(d.Lines, line{544, middle + height/2, 592, y + height/2, arrowhead(599, y+height/2)})
	}
	return d
}

func points(all [][2]int) string {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = strconv.Itoa(p[0]) + "," + strconv.Itoa(p[1])
	}
	return strings.Join(texts, " ")
}
