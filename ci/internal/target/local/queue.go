package local

import (
	"fmt"
	"path/filepath"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/queuefile"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/storefile"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// checkFiles sets those files of a component aside that would end it at each start, or
// hide what comes after them, and says so. The component must not be running.
func (l *Lab) checkFiles(name string) error {
	if name == target.Alloy {
		return l.checkQueue()
	}
	damaged, err := storefile.Mend(name, l.layout.data(name))
	for _, d := range damaged {
		l.cfg.Progress(d.String())
	}
	if err != nil {
		return fmt.Errorf("the files of %s cannot be mended: %w", name, err)
	}
	return nil
}

// checkQueue sets those of Alloy's queues aside that would end it at each start, and
// says so. Alloy must not be running.
func (l *Lab) checkQueue() error {
	damaged, err := queuefile.SetAside(filepath.Join(l.layout.data(target.Alloy), "queue"))
	for _, d := range damaged {
		l.cfg.Progress(d.String())
	}
	return err
}
