// Package interrupt turns the signals that ask a program to end into contexts: the
// first signal ends the work, in order; the second makes the tidying-up hurry; the
// third has the effect that the system gives it.
package interrupt

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// hurryKey is under which a context has the context that ends with the second signal.
type hurryKey struct{}

// Notify returns a copy of parent that ends with the first Ctrl-C, SIGTERM, or SIGHUP
// (a closed terminal), and that [Cleanup] makes contexts of. A program that was started
// with nohup goes on ignoring SIGHUP. stop gives the signals back to the system.
//
// Notify also lets the program outlive the reader of its output: a write to a pipe without
// a reader fails with EPIPE, and does not end the program with its work undone.
func Notify(parent context.Context) (ctx context.Context, stop func()) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	came := make(chan os.Signal, 2)
	signal.Notify(came, signals...)
	// A signal that is ignored would be ignored by each program that this one starts, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	hurry, hurryUp := context.WithCancel(context.WithoutCancel(parent))
	ctx, end := context.WithCancel(context.WithValue(parent, hurryKey{}, hurry))
	done := make(chan struct{})
	go func() {
		for _, act := range []func(){end, hurryUp} {
			select {
			case <-came:
				act()
			case <-done:
				return
			}
		}
		signal.Reset(signals...)
	}()
	return ctx, func() {
		close(done)
		signal.Stop(came)
		end()
		hurryUp()
	}
}

// Cleanup returns a context for what has to be done though ctx may have ended. It ends
// after the time given, or with the second signal; what was to be done then has to be
// broken off.
func Cleanup(ctx context.Context, within time.Duration) (context.Context, context.CancelFunc) {
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	if hurry, ok := ctx.Value(hurryKey{}).(context.Context); ok {
		stop := context.AfterFunc(hurry, cancel)
		return cleanup, func() { stop(); cancel() }
	}
	return cleanup, cancel
}
