package registry

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// tries is how often in a row something may fail before it is given up. The pauses
// between them are 1, 2, 4 and 8 s: long enough for a router that restarts, and a person
// without a network learns it within 15 s.
const tries = 5

// pause waits before the next try; failed counts the failures in a row. It returns
// the cause when ctx ends.
func (c Client) pause(ctx context.Context, failed int) error {
	return wait.For(ctx, cmp.Or(c.FirstPause, time.Second)<<(failed-1))
}

// Retry calls f until it succeeds, fails for good, or has failed five times. f begins
// with a new image each time: go-containerregistry's keep half of a configuration
// that broke off, and return it as the whole the next time.
func (c Client) Retry(ctx context.Context, f func() error) error {
	for failed := 1; ; failed++ {
		err := f()
		if err == nil || ctx.Err() != nil || failed == tries || !passing(err) {
			return err
		}
		if err := c.pause(ctx, failed); err != nil {
			return err
		}
	}
}

// passing tells whether an error may pass: a connection that broke off or stood still,
// or a busy registry. If the registry cannot be reached, refuses, or does not have the
// blob, another try a second later is of no use.
func passing(err error) bool {
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		return answer.Temporary() || answer.StatusCode >= http.StatusInternalServerError
	}
	for _, one := range []error{io.ErrUnexpectedEOF, io.EOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed, errStalled} {
		if errors.Is(err, one) {
			return true
		}
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
