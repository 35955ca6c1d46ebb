package sql

import (
	"context"
	"fmt"

	"github.com/first-viscount/viscount/transports/driver"
)

var _ driver.Recorder = (*Transport)(nil)

// Count implements driver.Recorder.
func (t *Transport) Count(ctx context.Context, topics []string) (total int64, err error) {
	return total, t.eachTable(ctx, topics, func(topic, table string) error {
		var n int64
		err := t.db.QueryRowContext(ctx, `SELECT count(*) FROM `+table).Scan(&n)
		total += n
		return err
	})
}

// Ends implements driver.Recorder.
func (t *Transport) Ends(ctx context.Context, topics []string) (driver.Positions, error) {
	at := driver.Positions{}
	return at, t.eachTable(ctx, topics, func(topic, table string) error {
		var last int64
		err := t.db.QueryRowContext(ctx, `SELECT coalesce(max("offset"), 0) FROM `+table).Scan(&last)
		at[driver.Place(topic, 0)] = last
		return err
	})
}

// Read implements driver.Recorder. A topic is one place: its offsets become visible in order.
func (t *Transport) Read(ctx context.Context, topics []string, after driver.Positions, each int) (page []driver.Recorded, more bool, err error) {
	err = t.eachTable(ctx, topics, func(topic, table string) error {
		place := driver.Place(topic, 0)
		found, err := t.db.QueryContext(ctx, `SELECT "offset", bucket, uuid, key, payload, metadata, created_at FROM `+table+` WHERE "offset" > $1 ORDER BY "offset" LIMIT $2`, after[place], each)
		if err != nil {
			return err
		}
		defer func() { _ = found.Close() }() // read to the end below
		n := 0
		for ; found.Next(); n++ {
			r := row{topic: topic}
			if err := found.Scan(&r.offset, &r.bucket, &r.uuid, &r.key, &r.payload, &r.header, &r.at); err != nil {
				return err
			}
			page = append(page, driver.Recorded{Topic: topic, Place: place, Offset: r.offset, At: r.at, Message: messageOf(&r)})
		}
		more = more || n == each
		return found.Err()
	})
	return page, more, err
}

// eachTable visits the tables of the topics that have one.
func (t *Transport) eachTable(ctx context.Context, topics []string, visit func(topic, table string) error) error {
	have, err := existing(ctx, t.db)
	if err != nil {
		return fmt.Errorf("sql: %w", err)
	}
	for _, topic := range topics {
		if !have[tableOf(topic)] {
			continue
		}
		if err := visit(topic, schema+"."+tableOf(topic)); err != nil {
			return fmt.Errorf("sql: reading what %s holds: %w", topic, err)
		}
	}
	return nil
}
