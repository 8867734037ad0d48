package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Logs implements [target.Target].
func (t *Target) Logs(ctx context.Context, w io.Writer, name string, follow bool) error {
	lab, err := t.lab()
	if err != nil {
		return err
	}
	return lab.Logs(ctx, w, name, follow)
}

// Logs writes to w what the named component has printed since it was started; with
// follow, Logs goes on until ctx ends, and with the next log when the component is
// started anew. It fails with [target.ErrUnknownComponent].
func (l *Lab) Logs(ctx context.Context, w io.Writer, name string, follow bool) error {
	if !slices.Contains(order, name) {
		return fmt.Errorf("%q: %w; there are %s", name, target.ErrUnknownComponent, strings.Join(order, ", "))
	}
	f, err := os.Open(l.layout.log(name))
	if err != nil {
		return fmt.Errorf("%s has no log yet: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	for {
		// The next log is looked for before the last of this one is read: what is
		// written between the two is then not missed.
		next, err := l.nextLog(name, f)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, f); err != nil || !follow {
			return err
		}
		if next != nil {
			_ = f.Close()
			f = next
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// nextLog opens the component's log when it is another file than f, which startOne and
// Reset make it; else it returns nil.
func (l *Lab) nextLog(name string, f *os.File) (*os.File, error) {
	next, err := os.Open(l.layout.log(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // until the component is started again
	}
	if err != nil {
		return nil, err
	}
	before, errBefore := f.Stat()
	now, errNow := next.Stat()
	if err := errors.Join(errBefore, errNow); err != nil || os.SameFile(before, now) {
		return nil, errors.Join(err, next.Close())
	}
	return next, nil
}
