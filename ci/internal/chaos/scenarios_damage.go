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
			Judge: judgeDamage,
		})
	}
	return all
}

// judgeDamage asks for what was sent after the damage. That a component was not ready again
// the engine says itself. Of Mimir's samples the freshness tells: a counter's later sample has
// what an earlier one had.
func judgeDamage(s *Stage, o Observation) []Verdict {
	damage := s.Actions[len(s.Actions)-1]
	lacking, late := map[int]bool{}, 0
	for _, service := range o.Account.Services {
		switch damage.Component {
		case target.Loki:
			note(lacking, service.NoLine)
		case target.Tempo:
			note(lacking, service.NoSpan)
		}
	}
	for _, a := range o.Answers {
		if lacking[a.N] && a.Sent.After(damage.Done) {
			late++
		}
	}
	measured := fmt.Sprintf("%s files were damaged; ready again; %d requests from before the damage are not stored, and %d from after it", s.Facts["damaged"], len(lacking)-late, late)
	if late > 0 {
		return []Verdict{verdict(Damage, measured, "what comes after the damage must be stored")}
	}
	return []Verdict{verdict(Damage, measured)}
}

func note(all map[int]bool, numbers []int) {
	for _, n := range numbers {
		all[n] = true
	}
}

// overwriteFiles overwrites the middle of each file of the patterns, and returns how many
// there were.
func overwriteFiles(s *Stage, component string, patterns []string) (damaged int, err error) {
	dir, err := s.dataDir(component)
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

// dataDir is the folder in which a component stores its data.
func (s *Stage) dataDir(component string) (string, error) {
	lab, ok := s.Lab.(interface {
		DataDir(component string) (string, error)
	})
	if !ok {
		return "", errors.New("this target's files are not here")
	}
	return lab.DataDir(component)
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
