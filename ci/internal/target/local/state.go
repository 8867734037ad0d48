package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// State is the lab's notes about itself, a file in its folder. Lab writes the state
// after it starts each process, so that the next `lab` knows the processes of one that
// was killed.
type State struct {
	Ports     target.Ports     `json:"ports"`
	Addresses target.Addresses `json:"target"`
	Started   time.Time        `json:"started"`
	Processes []Process        `json:"processes"`
}

// Process is one started component.
type Process struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// Path is the program's file.
	Path string `json:"path"`
	// Created is the time at which the operating system says that the process
	// began, in milliseconds since 1970.
	Created int64 `json:"created"`
	// Start names the same moment in a way that no clock moves, where Created does
	// not; see startOf. It tells the process from another that was given the same
	// PID later.
	Start string `json:"start,omitempty"`
	// Fingerprint changes when the program, its arguments, its environment or
	// its configuration do: `up` replaces a process when its
	// fingerprint differs from that of the component that it would start.
	Fingerprint string `json:"fingerprint"`
	// Log is the file that has the process's output.
	Log string `json:"log"`
	// Ready is the URL that answers 200 once the component is ready.
	Ready string `json:"ready"`
	// Args, Env and Dir are what the process was started with, besides what it has from
	// whoever ran lab; Receives are ports that must accept connections. With these the
	// component can be started again as it was.
	Args     []string `json:"args,omitempty"`
	Env      []string `json:"env,omitempty"`
	Dir      string   `json:"dir,omitempty"`
	Receives []int    `json:"receives,omitempty"`
}

// process returns the named process of the state, or nil.
func (s *State) process(name string) *Process {
	for i := range s.Processes {
		if s.Processes[i].Name == name {
			return &s.Processes[i]
		}
	}
	return nil
}

// set adds the process or replaces the one of that name.
func (s *State) set(p Process) {
	if old := s.process(p.Name); old != nil {
		*old = p
		return
	}
	s.Processes = append(s.Processes, p)
}

// remove forgets the process.
func (s *State) remove(p Process) {
	s.Processes = slices.DeleteFunc(s.Processes, func(known Process) bool { return known.PID == p.PID && known.Name == p.Name })
}

// ErrNotUp says that the folder holds no lab that runs. It is a [target.ErrNotUp].
var ErrNotUp = fmt.Errorf("%w; start it with `%s up`", target.ErrNotUp, command.Name())

// readState reads the state file. It returns ErrNotUp when there is none.
func readState(path string) (*State, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotUp
	}
	if err != nil {
		return nil, err
	}
	var s State
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w); run `%s down`, which finds the lab's processes by their environment", path, err, command.Name())
	}
	return &s, nil
}

// write replaces the state file in the lab's folder.
func (s *State) write(folder labdir.Folder) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return folder.Write(stateName, append(raw, '\n'))
}
