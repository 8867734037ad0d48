// Package fault lets a caller ask for a fault with a request: a slow query or a failing
// one. The wish travels as one entry of the W3C baggage. So each service passes it on
// without knowing about it, and the service with the database injects the fault.
//
// The package only reads and writes the wish. The caller decides whether to inject the
// fault; see [Enabled].
package fault

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/baggage"
)

// Key is the name of the baggage entry.
const Key = "lab.fault"

// MaxDelay bounds [Fault.Delay]. A longer delay is shortened to it. A fault then ends
// before the servers' timeouts, and the trace shows the slow query and not a timeout.
const MaxDelay = 5 * time.Second

// Fault is a fault to inject. The zero value is no fault.
type Fault struct {
	// Delay is how much longer the database query takes: 0 to [MaxDelay].
	Delay time.Duration
	// Error makes the database query fail. Delay is then ignored.
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

// Parse decodes the wire form. It reports false unless the value is "error", or
// "delay:" followed by a positive Go duration. A delay over [MaxDelay] is shortened to
// it.
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

// FromContext returns the fault that the baggage in ctx asks for. It reports false if
// there is none or if the value is malformed, because a malformed wish is no reason to
// fail a request.
func FromContext(ctx context.Context) (Fault, bool) {
	member := baggage.FromContext(ctx).Member(Key)
	if member.Key() == "" {
		return Fault{}, false
	}
	return Parse(member.Value())
}

// Baggage returns a copy of ctx whose baggage asks for f instead of any earlier fault.
// The zero Fault removes the wish. Other entries of the baggage stay.
func Baggage(ctx context.Context, f Fault) context.Context {
	bag := baggage.FromContext(ctx).DeleteMember(Key)
	if value := f.String(); value != "" {
		// Both calls succeed unless the baggage is full: key and value are token
		// characters.
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

// Enabled reports whether LAB_FAULTS switches faults on: whether [strconv.ParseBool]
// returns true for its value. All other values, also the empty one, switch faults off.
func Enabled(getenv func(string) string) bool {
	on, err := strconv.ParseBool(getenv("LAB_FAULTS"))
	return err == nil && on
}
