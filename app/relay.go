package app

import (
	"context"
	"errors"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/driver"
)

// RelayTo turns committed rows into messages: the payload byte for byte, the rest as metadata (domain.md, "Beside the
// envelope"). Watermill's message UUID is the event's id.
func RelayTo(publisher message.Publisher) store.Publisher {
	return func(_ context.Context, round int64, rows []store.Row) error {
		messages := make([]*message.Message, len(rows))
		for i := range rows {
			messages[i] = messageOf(&rows[i], round)
			if rows[i].EventType == store.NoticeType {
				if err := addressNotice(messages[i]); err != nil {
					return err
				}
			}
		}
		err := publisher.Publish(rows[0].Topic, messages...)
		if errors.Is(err, driver.ErrLeftBehind) {
			return store.ErrLeftBehind
		}
		return err
	}
}

func messageOf(row *store.Row, round int64) *message.Message {
	id := row.EventID.String()
	msg := message.NewMessage(id, row.Payload)
	msg.Metadata = message.Metadata{
		router.MetaEventID: id, router.MetaEventType: row.EventType, router.MetaCorrelationID: row.CorrelationID,
		driver.KeyMetadata: row.Key, driver.RoundMetadata: strconv.FormatInt(round, 10),
	}
	if row.Sequence > 0 {
		msg.Metadata[router.MetaSequence] = strconv.FormatInt(row.Sequence, 10)
	}
	if row.Again {
		msg.Metadata[driver.AgainMetadata] = "true"
	}
	for name, value := range map[string]string{router.MetaCausationID: row.CausationID, router.MetaTraceParent: row.TraceParent, router.MetaTraceState: row.TraceState} {
		if value != "" {
			msg.Metadata[name] = value
		}
	}
	return msg
}

// addressNotice gives the notice of a dead letter the headers that tools for dead letters read, and the event's own key.
func addressNotice(msg *message.Message) error {
	notice, err := store.ReadNotice(msg.Payload)
	if err != nil {
		return err
	}
	for name, value := range notice.Headers() {
		msg.Metadata[name] = value
	}
	msg.Metadata[driver.KeyMetadata] = notice.Key
	return nil
}
