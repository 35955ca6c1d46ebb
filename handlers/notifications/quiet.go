package notifications

import (
	"fmt"
	"time"
	_ "time/tzdata" // zones are known where the system has none, as in a small container
)

// QuietHours are the hours of the day, in a time zone, in which a customer gets no e-mail. Webhooks do not sleep.
type QuietHours struct {
	From string `json:"from"` // 22:00
	To   string `json:"to"`   // 07:00, of the next day if it is not after From
	Zone string `json:"timezone,omitzero"`
}

// Check says what is wrong with them, and in which member.
func (q QuietHours) Check() (member string, err error) {
	if q == (QuietHours{}) {
		return "", nil
	}
	if _, err := clock(q.From); err != nil {
		return "from", err
	}
	if _, err := clock(q.To); err != nil {
		return "to", err
	}
	if q.From == q.To {
		return "to", fmt.Errorf("is the same as from: there would be no hour left")
	}
	if _, err := time.LoadLocation(q.Zone); err != nil {
		return "timezone", fmt.Errorf("is no time zone such as Europe/Berlin")
	}
	return "", nil
}

// clock reads 22:00 as minutes of the day.
func clock(text string) (int, error) {
	at, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf("must be a time of day such as 22:00")
	}
	return at.Hour()*60 + at.Minute(), nil
}

// Next is the first moment from at on that is not quiet.
func (q QuietHours) Next(at time.Time) time.Time {
	if q == (QuietHours{}) {
		return at
	}
	zone, err := time.LoadLocation(q.Zone)
	if err != nil { // it was checked; a zone that the world has abolished since is silent no more
		return at
	}
	from, _ := clock(q.From)
	to, _ := clock(q.To)
	here := at.In(zone)
	now, day := here.Hour()*60+here.Minute(), here.Day()
	switch {
	case from < to && (now < from || now >= to), from > to && now < from && now >= to:
		return at
	case from > to && now >= from:
		day++
	}
	return time.Date(here.Year(), here.Month(), day, to/60, to%60, 0, 0, zone).UTC()
}
