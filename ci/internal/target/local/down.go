package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Down stops every process of the lab, what a crashed run left behind included,
// in the reverse of the order in which they start. It returns the names of what
// it stopped, and keeps the data.
func (l *Lab) Down(ctx context.Context) (stopped []string, err error) {
	if _, err := os.Stat(l.layout.dir); err != nil {
		return nil, ErrNotUp
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return l.down()
}

func (l *Lab) down() (stopped []string, err error) {
	state, err := l.State()
	if err != nil {
		state = &State{} // the strays below are then all there is
	}
	all := append(strays(l.layout.dir, state.Processes), state.Processes...)
	for _, p := range all {
		if p.alive() {
			stopped = append(stopped, p.Name)
		}
	}
	if err := l.stopAll(state, all); err != nil {
		return stopped, err
	}
	if err := os.Remove(l.layout.state()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return stopped, err
	}
	if len(stopped) == 0 {
		return nil, ErrNotUp
	}
	return stopped, nil
}

// Reset stops the lab, when it runs, and deletes all that it has stored: data,
// logs and the copies of the configuration. It returns the bytes freed.
func (l *Lab) Reset(ctx context.Context) (freed int64, err error) {
	if _, err := os.Stat(l.layout.dir); errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if _, err := l.down(); err != nil && !errors.Is(err, ErrNotUp) {
		return 0, err
	}
	freed = size(l.layout.dir)
	// By name, not the folder whole: it may be a folder that a person chose and
	// keeps other things in.
	for _, dir := range []string{"data", "logs", "config", "bin"} {
		if err := os.RemoveAll(l.layout.dir + string(os.PathSeparator) + dir); err != nil {
			return 0, err
		}
	}
	return freed, nil
}

// Ended returns an error for each component of the state that has ended.
func (s *State) Ended() []*ComponentError {
	var ended []*ComponentError
	for _, p := range s.Processes {
		if !p.alive() {
			ended = append(ended, componentError(p, "has ended"))
		}
	}
	return ended
}

// LogFile is the file that has the named component's output; an error names
// those that there are.
func (l *Lab) LogFile(name string) (string, error) {
	if slices.Contains(order, name) {
		return l.layout.log(name), nil
	}
	return "", fmt.Errorf("%q: %w; there are %s", name, target.ErrUnknownComponent, strings.Join(order, ", "))
}

// PID is the process of the named component, 0 when there is none.
func (s *State) PID(name string) int {
	if p := s.process(name); p != nil {
		return p.PID
	}
	return 0
}
