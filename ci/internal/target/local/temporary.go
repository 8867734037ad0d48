package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Temporary implements [target.Target] with a lab on free ports in a temporary
// folder. When the lab does not come up, the folder stays, with the logs in it, and
// the error says where.
func (t *Target) Temporary(ctx context.Context) (lab target.Target, release func(), err error) {
	dir, err := temporaryFolder()
	if err != nil {
		return nil, nil, err
	}
	o := t.o
	o.Dir = func() (string, error) { return dir, nil }
	o.FreePorts = true
	own := &Target{o, t.ports}
	begin := time.Now()
	made, err := own.wanted()
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, nil, err
	}
	_, started, err := made.Up(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("%w\n(the lab's folder is kept: %s)", err, dir)
	}
	t.o.Say(fmt.Sprintf("· a lab of its own is up: %d components in %.1f s", len(started), time.Since(begin).Seconds()))
	return own, func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		if _, err := made.Down(stopCtx); err != nil {
			t.o.Say("lab: taking the lab down: " + err.Error())
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.o.Say("lab: " + err.Error())
		}
	}, nil
}

func temporaryFolder() (string, error) {
	dir, err := os.MkdirTemp("", "lgtm-lab-")
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// TrafficFile implements [target.Target].
func (t *Target) TrafficFile() (string, error) {
	dir, err := t.o.Dir()
	return filepath.Join(dir, "last-traffic.json"), err
}
