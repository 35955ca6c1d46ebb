package sql

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/keyed"
)

const (
	leaseFor    = 10 * time.Second // what a dead instance's buckets wait
	renewEvery  = 3 * time.Second
	tendEvery   = 500 * time.Millisecond // looks for what other instances did
	saveEvery   = 200 * time.Millisecond // what is handled twice after a crash
	settleEvery = 5 * time.Second        // buckets without messages move along with what was read
	giveTimeout = 5 * time.Second        // how long a bucket's handover waits for work in flight
)

// makePositions prepares a consumer's buckets and positions; those that are there stay.
func makePositions(ctx context.Context, tx *sql.Tx, group string, topics []string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO transport.consumer_buckets (consumer, bucket) SELECT $1, generate_series(0, $2 - 1) ON CONFLICT DO NOTHING`, group, buckets)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO transport.positions (consumer, topic, bucket)
		SELECT $1, t, b FROM unnest($2::text[]) AS t, generate_series(0, $3 - 1) AS b ON CONFLICT DO NOTHING`, group, topics, buckets)
	return err
}

// keepLeases holds this instance's share of the buckets, and saves how far it is.
func (c *consumer) keepLeases(ctx context.Context) {
	tend, save, settle := time.NewTicker(tendEvery), time.NewTicker(saveEvery), time.NewTicker(settleEvery)
	defer tend.Stop()
	defer save.Stop()
	defer settle.Stop()
	for {
		err := c.tend(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.log.WarnContext(ctx, "renewing the leases of this consumer's keys; trying again", "error", err)
			if time.Since(c.renewed) > leaseFor {
				c.forget(nil)
			}
		}
		for next := false; !next; {
			var err error
			select {
			case <-ctx.Done():
				return
			case <-tend.C:
				next = true
			case <-save.C:
				err = c.save(ctx, false)
			case <-settle.C:
				err = c.save(ctx, true)
			}
			if err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "saving how far this consumer is; trying again", "error", err)
				next = true
			}
		}
	}
}

// tend renews the leases when it is time, gives up what is beyond this instance's share, and takes what is free. While it
// drains, it renews alone. Looking only, as it mostly does, flushes nothing to the disk that commits wait for.
func (c *consumer) tend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseFor/2)
	defer cancel()
	if at := time.Now(); at.Sub(c.renewed) >= renewEvery {
		if err := c.renew(ctx); err != nil {
			return err
		}
		c.renewed = at
	}
	var instances int
	err := c.db.QueryRowContext(ctx, `SELECT count(*) + 1 FROM transport.members WHERE consumer = $1 AND instance <> $2 AND until >= now()`, c.group, c.instance).Scan(&instances)
	if err != nil {
		return err
	}
	mine, err := c.list(ctx, `SELECT bucket FROM transport.consumer_buckets WHERE consumer = $1 AND instance = $2 AND until >= now()`, c.group, c.instance)
	if err != nil {
		return err
	}
	c.forget(mine)
	if err := c.acquire(ctx, c.unread(mine)); err != nil { // forgotten when they ran out, and nobody took them
		return err
	}
	if c.draining.Load() {
		return nil
	}
	share := (buckets + instances - 1) / instances
	if extra := len(mine) - share; extra > 0 {
		return c.give(ctx, mine[:extra])
	}
	if len(mine) == share {
		return nil
	}
	taken, err := c.list(ctx, `UPDATE transport.consumer_buckets SET instance = $2, until = now() + $3::interval WHERE consumer = $1 AND bucket IN (
			SELECT bucket FROM transport.consumer_buckets WHERE consumer = $1 AND (instance IS NULL OR until < now()) ORDER BY bucket LIMIT $4 FOR UPDATE SKIP LOCKED)
		RETURNING bucket`, c.group, c.instance, leaseFor.String(), share-len(mine))
	if err != nil {
		return err
	}
	return c.acquire(ctx, taken)
}

// unread are the buckets of a list that this instance does not read.
func (c *consumer) unread(list []int16) (unread []int16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, bucket := range list {
		if _, held := c.held[bucket]; !held {
			unread = append(unread, bucket)
		}
	}
	return unread
}

func (c *consumer) renew(ctx context.Context) error {
	_, err := c.db.ExecContext(ctx, `WITH gone AS (DELETE FROM transport.members WHERE consumer = $1 AND until < now()),
		mine AS (UPDATE transport.consumer_buckets SET until = now() + $3::interval WHERE consumer = $1 AND instance = $2)
		INSERT INTO transport.members (consumer, instance, until) VALUES ($1, $2, now() + $3::interval)
		ON CONFLICT (consumer, instance) DO UPDATE SET until = excluded.until`, c.group, c.instance, leaseFor.String())
	return err
}

func (c *consumer) list(ctx context.Context, query string, args ...any) ([]int16, error) {
	rows, err := c.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // read to the end below
	var list []int16
	for rows.Next() {
		var bucket int16
		if err := rows.Scan(&bucket); err != nil {
			return nil, err
		}
		list = append(list, bucket)
	}
	return list, rows.Err()
}

// acquire begins to read buckets where their last holder left off.
func (c *consumer) acquire(ctx context.Context, taken []int16) error {
	if len(taken) == 0 {
		return nil
	}
	rows, err := c.db.QueryContext(ctx, `SELECT topic, bucket, done FROM transport.positions WHERE consumer = $1 AND bucket = ANY($2) AND topic = ANY($3)`, c.group, taken, c.Topics())
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // read to the end below
	found := map[int16]map[string]*position{}
	for rows.Next() {
		var topic string
		var bucket int16
		var done int64
		if err := rows.Scan(&topic, &bucket, &done); err != nil {
			return err
		}
		if found[bucket] == nil {
			found[bucket] = map[string]*position{}
		}
		found[bucket][topic] = &position{stream: keyed.NewStream(c.Consumer, topic, done, func(int64) {}), last: done, saved: done}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	first := len(c.held) == 0
	for bucket, topics := range found {
		c.held[bucket] = topics
		for topic, p := range topics {
			if at, known := c.read[topic]; !known || first || p.last < at {
				c.read[topic] = p.last
			}
		}
		first = false
	}
	return nil
}

// give lets other instances have buckets: what was not begun is withdrawn, what is in flight has a while to finish, and how
// far it is is saved.
func (c *consumer) give(ctx context.Context, list []int16) error {
	given := c.remove(list)
	ctx, cancel := context.WithTimeout(ctx, giveTimeout)
	defer cancel()
	var tickets []*keyed.Ticket
	for _, topics := range given {
		for _, p := range topics {
			tickets = append(tickets, p.stream.Withdraw()...)
		}
	}
	if err := c.Engine.Await(ctx, tickets); err != nil {
		c.log.WarnContext(ctx, "handing keys over does not wait for events that are still being handled; they may be delivered twice", "waited", giveTimeout)
	}
	ctx = context.WithoutCancel(ctx)
	if err := c.saveThese(ctx, given, false); err != nil {
		return err
	}
	_, err := c.db.ExecContext(ctx, `UPDATE transport.consumer_buckets SET instance = NULL, until = NULL WHERE consumer = $1 AND instance = $2 AND bucket = ANY($3)`, c.group, c.instance, list)
	return err
}

// remove ends the reading of buckets.
func (c *consumer) remove(list []int16) map[int16]map[string]*position {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	removed := map[int16]map[string]*position{}
	for _, bucket := range list {
		if topics, held := c.held[bucket]; held {
			removed[bucket] = topics
			delete(c.held, bucket)
		}
	}
	return removed
}

// forget drops the buckets that are no longer among mine: their lease ran out, and another instance may have them.
func (c *consumer) forget(mine []int16) {
	keep := map[int16]bool{}
	for _, bucket := range mine {
		keep[bucket] = true
	}
	c.mu.Lock()
	var lost []int16
	for bucket := range c.held {
		if !keep[bucket] {
			lost = append(lost, bucket)
		}
	}
	c.mu.Unlock()
	if len(lost) == 0 {
		return
	}
	c.log.Warn("leases on keys were lost; their events come again, here or elsewhere", "buckets", len(lost))
	for _, topics := range c.remove(lost) {
		for _, p := range topics {
			p.stream.Withdraw()
		}
	}
}

// save writes down how far this instance is. settled moves buckets on to where their topic was read or to their first unfinished
// message, so that a later start does not read what nobody needs.
func (c *consumer) save(ctx context.Context, settled bool) error {
	c.mu.Lock()
	held := make(map[int16]map[string]*position, len(c.held))
	for bucket, topics := range c.held {
		held[bucket] = topics
	}
	c.mu.Unlock()
	return c.saveThese(ctx, held, settled)
}

func (c *consumer) saveThese(ctx context.Context, held map[int16]map[string]*position, settled bool) error {
	var topics []string
	var numbers []int16
	var done []int64
	var positions []*position
	c.mu.Lock()
	for bucket, byTopic := range held {
		for topic, p := range byTopic {
			at := p.stream.Done()
			if settled {
				at = p.stream.Settled(c.read[topic])
			}
			if at > p.saved {
				topics, numbers, done, positions = append(topics, topic), append(numbers, bucket), append(done, at), append(positions, p)
			}
		}
	}
	c.mu.Unlock()
	if len(topics) == 0 {
		return nil
	}
	_, err := c.db.ExecContext(ctx, `UPDATE transport.positions AS p SET done = u.done FROM unnest($2::text[], $3::smallint[], $4::bigint[]) AS u(topic, bucket, done)
		WHERE p.consumer = $1 AND p.topic = u.topic AND p.bucket = u.bucket AND p.done < u.done`, c.group, topics, numbers, done)
	if err == nil {
		for i, p := range positions {
			p.saved = done[i]
		}
	}
	return err
}

// leave saves how far it is and frees this instance's buckets.
func (c *consumer) leave(ctx context.Context) error {
	saved := c.save(ctx, true)
	_, freed := c.db.ExecContext(ctx, `UPDATE transport.consumer_buckets SET instance = NULL, until = NULL WHERE consumer = $1 AND instance = $2`, c.group, c.instance)
	_, left := c.db.ExecContext(ctx, `DELETE FROM transport.members WHERE consumer = $1 AND instance = $2`, c.group, c.instance)
	return errors.Join(saved, freed, left)
}

const (
	pruneEvery = time.Minute
	pruneBatch = 5000
)

// prune removes what every consumer is done with and what is older than its topic's retention.
func (t *Transport) prune(ctx context.Context, topics []driver.Topic) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		for _, topic := range topics {
			if topic.Retention == 0 {
				continue
			}
			for removed := int64(pruneBatch); removed == pruneBatch && ctx.Err() == nil; {
				var err error
				if removed, err = t.pruneOnce(ctx, topic); err != nil && ctx.Err() == nil {
					t.log.WarnContext(ctx, "pruning events; trying again later", "topic", topic.Name, "error", err)
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// pruneOnce looks at the oldest rows only, whatever the backlog is.
func (t *Transport) pruneOnce(ctx context.Context, topic driver.Topic) (int64, error) {
	result, err := t.db.ExecContext(ctx, `DELETE FROM transport.`+tableOf(topic.Name)+` WHERE "offset" IN (
		SELECT "offset" FROM (SELECT "offset", created_at FROM transport.`+tableOf(topic.Name)+` ORDER BY "offset" LIMIT $1) AS oldest
		WHERE created_at < now() - $2::interval AND "offset" <= (SELECT min(done) FROM transport.positions WHERE topic = $3))`, pruneBatch, topic.Retention.String(), topic.Name)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
