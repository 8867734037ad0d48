// Package fault carries a fault that a caller asks for through a request: "let
// this one be slow", "let this one fail". It travels as one W3C baggage entry,
// so every service on the way hands it on without knowing about it, and the
// service that owns the database realises it.
//
// The package only reads and writes the wish. Whether wishes are granted is the
// caller's decision; see [Enabled].
package fault

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/baggage"
)

// Key is the name of the baggage entry.
const Key = "lab.fault"

// MaxDelay bounds [Fault.Delay]. A longer wish is cut to it, so that a fault
// always ends before the servers' own deadlines and the trace shows the slow
// query rather than a timeout.
const MaxDelay = 5 * time.Second

// Fault is what should go wrong. The zero value is no fault.
type Fault struct {
	// Delay is how much longer the database query takes: 0 to [MaxDelay].
	Delay time.Duration
	// Error makes the database query fail. It wins over Delay.
	Error bool
}

// String returns the wire form of f: "error", "delay:250ms", or "" for no fault.
func (f Fault) String() string {
	switch {
	case f.Error:
		return "error"
	case f.Delay > 0:
		return "delay:" + min(f.Delay, MaxDelay).String()
	}
	return ""
}

// Parse reads the wire form. It reports false for anything that is not exactly
// "error" or "delay:" with a positive Go duration; a longer delay than
// [MaxDelay] is cut to it.
func Parse(value string) (Fault, bool) {
	if value == "error" {
		return Fault{Error: true}, true
	}
	const prefix = "delay:"
	if len(value) <= len(prefix) || value[:len(prefix)] != prefix {
		return Fault{}, false
	}
	delay, err := time.ParseDuration(value[len(prefix):])
	if err != nil || delay <= 0 {
		return Fault{}, false
	}
	return Fault{Delay: min(delay, MaxDelay)}, true
}

// FromContext returns the fault that the baggage in ctx asks for. It reports
// false if there is none, or if the value is malformed: a wish that cannot be
// understood is no reason to fail a request.
func FromContext(ctx context.Context) (Fault, bool) {
	member := baggage.FromContext(ctx).Member(Key)
	if member.Key() == "" {
		return Fault{}, false
	}
	return Parse(member.Value())
}

// Baggage returns a copy of ctx whose baggage asks for f, in place of any fault
// it asked for before; with the zero Fault it asks for none. Other entries stay.
func Baggage(ctx context.Context, f Fault) context.Context {
	bag := baggage.FromContext(ctx).DeleteMember(Key)
	if value := f.String(); value != "" {
		// Neither call can fail: key and value are made of token characters,
		// and one short entry is within the limits of an empty baggage.
		member, err := baggage.NewMemberRaw(Key, value)
		if err != nil {
			return ctx
		}
		if bag, err = bag.SetMember(member); err != nil {
			return ctx
		}
	}
	return baggage.ContextWithBaggage(ctx, bag)
}

// Enabled reads the LAB_FAULTS switch: true for the values that
// [strconv.ParseBool] takes for true, false for all others, the empty one
// included.
func Enabled(getenv func(string) string) bool {
	on, err := strconv.ParseBool(getenv("LAB_FAULTS"))
	return err == nil && on
}
