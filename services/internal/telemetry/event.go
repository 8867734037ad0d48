package telemetry

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
)

// eventNameKey is the attribute that an event's line on stdout has for its name.
const eventNameKey = "event.name"

// Event records an event: a log record of level info with an event name, on stdout and
// over OTLP. message is the record's body. Event never waits and never fails: a record
// that cannot be sent is lost, as any other.
func (t *Telemetry) Event(ctx context.Context, name, message string, attrs ...attribute.KeyValue) {
	now := time.Now()
	if t.stdout.Enabled(ctx, slog.LevelInfo) {
		line := slog.NewRecord(now, slog.LevelInfo, message, 0)
		line.AddAttrs(slog.String(eventNameKey, name))
		for _, a := range attrs {
			line.AddAttrs(slog.String(string(a.Key), a.Value.String()))
		}
		_ = t.stdout.Handle(ctx, line) // an error of writing to stdout cannot be reported anywhere
	}
	var record log.Record
	record.SetTimestamp(now)
	record.SetSeverity(log.SeverityInfo)
	record.SetSeverityText(slog.LevelInfo.String())
	record.SetEventName(name)
	record.SetBody(attribute.StringValue(message))
	record.AddAttributes(attrs...)
	t.events.Emit(ctx, record)
}
