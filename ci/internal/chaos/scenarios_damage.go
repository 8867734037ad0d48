package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// damages overwrites what a store writes first, its log of the newest data, at each of the
// files' middle. What the store had stored of that is what a scenario does not ask for.
func damages() []Scenario {
	var all []Scenario
	for _, d := range []struct {
		component string
		files     []string // patterns in the component's data folder
		promises  []string
	}{
		{target.Loki, []string{"wal/[0-9]*"}, []string{Users, Traces, Counters, Freshness, Damage}},
		{target.Tempo, []string{"wal/*/[0-9]*", "wal/*/meta.json"}, []string{Users, Lines, Counters, Freshness, Damage}},
		{target.Mimir, []string{"tsdb/*/wal/[0-9]*", "tsdb/*/wbl/[0-9]*", "tsdb/*/chunks_head/[0-9]*"}, []string{Users, Traces, Lines, Freshness, Damage}},
	} {
		all = append(all, Scenario{
			Name: "damaged-" + d.component, About: fmt.Sprintf("kill -9 of %s; each file of its log is overwritten in its middle; it is started again", d.component),
			Promises: d.promises, Needs: []string{d.component}, OwnLab: true, Targets: []string{"local"},
			Inject: func(ctx context.Context, s *Stage) error {
				if err := s.Kill(ctx, d.component); err != nil {
					return err
				}
				damaged, err := overwriteFiles(s, d.component, d.files)
				if err == nil && damaged == 0 {
					err = fmt.Errorf("%s has no file that could be damaged", d.component)
				}
				s.Note("damage", d.component)
				s.Facts["damaged"] = strconv.Itoa(damaged)
				return err
			},
			Judge: func(s *Stage, _ Observation) []Verdict {
				// The engine says so when the component was not ready again.
				return []Verdict{{Promise: Damage, Title: byID(Damage).Title, Outcome: Kept, Measured: s.Facts["damaged"] + " files were damaged; ready again"}}
			},
		})
	}
	return all
}

// overwriteFiles overwrites the middle of each file of the patterns, and returns how many
// there were.
func overwriteFiles(s *Stage, component string, patterns []string) (damaged int, err error) {
	lab, ok := s.Lab.(interface {
		DataDir(component string) (string, error)
	})
	if !ok {
		return 0, errors.New("this target's files are not here")
	}
	dir, err := lab.DataDir(component)
	if err != nil {
		return 0, err
	}
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil {
			return damaged, err
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil || info.Size() == 0 {
				continue
			}
			if err := overwriteMiddle(name, info.Size()); err != nil {
				return damaged, err
			}
			damaged++
		}
	}
	return damaged, nil
}

func overwriteMiddle(name string, size int64) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	noise := make([]byte, min(64, size/2+1))
	for i := range noise {
		noise[i] = 0xA5
	}
	_, err = f.WriteAt(noise, size/2)
	return errors.Join(err, f.Close())
}
