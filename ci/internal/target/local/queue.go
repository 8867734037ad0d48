package local

import (
	"path/filepath"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/queuefile"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// checkQueue sets those of Alloy's queues aside that would end it at each start, and
// says so. Alloy must not be running.
func (l *Lab) checkQueue() error {
	damaged, err := queuefile.SetAside(filepath.Join(l.layout.data(target.Alloy), "queue"))
	for _, d := range damaged {
		l.cfg.Progress(d.String())
	}
	return err
}
