package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/smalldisk"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

const (
	// diskFullFor is how long a disk is full.
	diskFullFor = time.Minute
	// diskRoom is the room that a disk has until it is filled, and afterwards. Loki takes no
	// line while its disk is more than nine tenths full.
	diskRoom = 512 << 20
)

// fillDisk is what the action is called that fills a disk.
const fillDisk = "fill the disk"

// fullDisks fill the disk of one component to the last page, and keep it full. The component's
// data folder is a file system of its own meanwhile.
func fullDisks() []Scenario {
	var all []Scenario
	for _, name := range []string{target.Loki, target.Tempo, target.Mimir, target.Alloy, target.Backend} {
		f := &fullDisk{component: name}
		promises, about := append(promisesFor(false, name), FullDisk), fmt.Sprintf("the disk of %s is full to the last byte for %v", name, diskFullFor)
		if name == target.Tempo {
			promises = append(promises, FullTempo)
			about += "; then tempo is started again"
		}
		if name == target.Alloy {
			promises = append(promises, FullAlloy)
		}
		all = append(all, Scenario{
			Name: "disk-full-" + name, About: about, Promises: promises, Needs: everything, OwnLab: true, Targets: []string{target.Local},
			Possible: func(context.Context, target.Breakable) error { return smalldisk.Available() }, Hold: diskFullFor,
			Alert: diskAlerts[name], Prepare: f.mount, Inject: f.fill, Heal: f.heal, Undo: f.unmount, Judge: f.judge,
		})
	}
	return all
}

// diskAlerts are the alerts that a full disk of a component fires. That of the backend is seen
// in its answers, and Mimir evaluates no rule while it cannot write.
var diskAlerts = map[string]string{
	target.Loki: "StoreWritesFailing", target.Tempo: "StoreWritesFailing", target.Alloy: "TelemetryRefused",
}

// fullDisk is the disk of a component in a scenario.
type fullDisk struct {
	component string
	disk      *smalldisk.Disk
	stop      func() (int64, error) // ends the filling; nil when it has ended
	watching  func() map[string]*Seen
}

// stopped does something while the component is stopped.
func (f *fullDisk) stopped(ctx context.Context, s *Stage, do func() error) error {
	if err := s.Lab.Terminate(ctx, f.component); err != nil {
		return err
	}
	return errors.Join(do(), s.Lab.Mend(ctx))
}

func (f *fullDisk) mount(ctx context.Context, s *Stage) error {
	dir, err := s.dataDir(f.component)
	if err != nil {
		return err
	}
	s.Say("putting the data of " + f.component + " on a small disk")
	return f.stopped(ctx, s, func() (err error) {
		f.disk, err = smalldisk.Over(dir, diskRoom)
		return err
	})
}

func (f *fullDisk) unmount(ctx context.Context, s *Stage) error {
	if f.disk == nil {
		return nil
	}
	err := f.free(ctx, s)
	return errors.Join(err, f.stopped(ctx, s, func() error {
		err := f.disk.Remove()
		f.disk = nil
		return err
	}))
}

func (f *fullDisk) fill(ctx context.Context, s *Stage) error {
	s.Note(fillDisk, f.component)
	f.watching = watchComponents(ctx, s)
	ctx, cancel := context.WithCancel(ctx)
	var taken int64
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		taken, err = f.disk.KeepFull(ctx)
	}()
	f.stop = func() (int64, error) {
		cancel()
		<-done
		return taken, err
	}
	return nil
}

// heal makes room, and does what the runbook of StoreWritesFailing says of Tempo. The engine
// then starts what has ended.
func (f *fullDisk) heal(ctx context.Context, s *Stage) error {
	err := f.free(ctx, s)
	if f.component == target.Tempo {
		err = errors.Join(err, s.Lab.Kill(ctx, f.component))
	}
	return err
}

func (f *fullDisk) free(_ context.Context, s *Stage) error {
	if f.stop == nil {
		return nil
	}
	taken, err := f.stop()
	f.stop = nil
	s.fact("components", f.watching())
	s.Note(fmt.Sprintf("free %d MB", taken>>20), f.component)
	return errors.Join(err, f.disk.Free())
}

// judge asks whether a component has ended, and, of the backend, how it has refused changes.
// What is stored the engine judges.
func (f *fullDisk) judge(s *Stage, o Observation) []Verdict {
	var complaints []string
	var seen map[string]*Seen
	if err := json.Unmarshal([]byte(s.Facts["components"]), &seen); err != nil || len(seen) == 0 {
		complaints = append(complaints, "the components were not seen")
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if seen[name].Ended {
			complaints = append(complaints, name+" has ended")
		}
	}
	refused, wrong := 0, map[string]int{}
	for _, a := range o.Answers {
		switch change := a.Kind == traffic.Create || a.Kind == traffic.Delete; {
		case a.OK():
		case f.component == target.Backend && change && a.Status == http.StatusServiceUnavailable:
			refused++
		default:
			wrong[fmt.Sprintf("%s: %s", a.Kind, answerText(a))]++
		}
	}
	for _, what := range slices.Sorted(maps.Keys(wrong)) {
		complaints = append(complaints, fmt.Sprintf("%d × %s", wrong[what], what))
	}
	measured := "no component has ended"
	if f.component == target.Backend {
		measured += fmt.Sprintf("; %d changes were refused with 503", refused)
		if refused == 0 {
			complaints = append(complaints, "no change was refused: the disk was not full")
		}
	}
	return []Verdict{verdict(FullDisk, measured, complaints...)}
}
