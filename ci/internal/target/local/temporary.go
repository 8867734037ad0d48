package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/smalldisk"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Temporary implements [target.Target] with a lab on free ports in a temporary
// folder. When the lab does not come up, the folder stays, with the logs in it, and
// the error says where; when ctx ends, nothing stays. Labs
// that killed runs have left are ended and deleted first.
func (t *Target) Temporary(ctx context.Context) (lab target.Target, release func(), err error) {
	sweep(ctx, t.o.Say)
	folder, err := labdir.Temporary()
	if err != nil {
		return nil, nil, err
	}
	if err := noteOwner(folder); err != nil {
		return nil, nil, errors.Join(err, folder.Discard())
	}
	o := t.o
	o.Dir = func() (string, error) { return folder.Path, nil }
	o.FreePorts = true
	temporary := &Target{o, t.ports}
	begin := time.Now()
	made, err := temporary.wanted()
	if err != nil {
		return nil, nil, errors.Join(err, folder.Discard())
	}
	_, started, err := made.Up(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, nil, errors.Join(err, folder.Discard())
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w\n(the lab's folder is kept: %s)", err, folder.Path), folder.Keep())
	}
	t.o.Say(fmt.Sprintf("· a lab of its own is up: %d components in %.1f s", len(started), time.Since(begin).Seconds()))
	return temporary, func() {
		if err := discard(ctx, folder, t.o.Say); err != nil {
			t.o.Say("lab: taking the lab down: " + err.Error())
		}
	}, nil
}

// discard ends the lab in a temporary folder, and deletes the folder.
func discard(ctx context.Context, folder labdir.Folder, say func(string)) error {
	stopping, cancel := interrupt.Cleanup(ctx, stopWithin)
	defer cancel()
	if _, err := Open(Config{Dir: folder.Path, Progress: say}).Down(stopping); err != nil && !errors.Is(err, ErrNotUp) {
		return err
	}
	// A killed `lab chaos` may have left a small disk over a folder in it.
	if err := smalldisk.UnmountBelow(folder.Path); err != nil {
		return err
	}
	return folder.Discard()
}

// sweep discards the temporary labs whose owner has ended without doing so: it was
// killed. A folder without an owner may be of a run that has just begun.
func sweep(ctx context.Context, say func(string)) {
	for _, folder := range labdir.Temporaries() {
		if owner, ok := readOwner(folder.Path); !ok || owner.alive() {
			continue
		}
		say("deleting " + folder.Path + ", left by a `lab` that was killed")
		if err := discard(ctx, folder, say); err != nil {
			say("lab: " + err.Error())
		}
	}
}

// TrafficFile implements [target.Target].
func (t *Target) TrafficFile() (string, error) {
	dir, err := t.o.Dir()
	return filepath.Join(dir, "last-traffic.json"), err
}
