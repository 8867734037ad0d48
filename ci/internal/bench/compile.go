package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cachedir"
)

// compileGoal is the goal of the wall time of compiling all programs of the stack, in
// seconds, on two cores.
const compileGoal = 12 * 60

// compiled is what `lab stack build` notes beside a program that it has compiled.
type compiled struct {
	Program   string  `json:"program"`
	Duration  float64 `json:"duration_seconds"`
	Processor float64 `json:"processor_seconds"`
	Cores     int     `json:"cores"`
	Lean      bool    `json:"lean"`
	Resumed   bool    `json:"resumed"`
}

// compileTime reads how long each program of the stack took to compile here.
func compileTime(_ context.Context, o Options) ([]Row, []string, error) {
	cache := o.Cache
	if cache == "" {
		var err error
		if cache, err = cachedir.Default(); err != nil {
			return nil, nil, err
		}
	}
	files, err := filepath.Glob(filepath.Join(cache, "source", "*", "compiled.json"))
	if err != nil {
		return nil, nil, err
	}
	var rows []Row
	var all, processor float64
	for _, file := range files {
		c, err := readCompiled(file)
		if err != nil {
			return nil, nil, err
		}
		name := c.Program
		if c.Lean {
			name += ", lean"
		}
		if c.Resumed {
			name += ", from where an earlier compile stopped"
		}
		rows = append(rows, row(name, Seconds, c.Duration))
		all, processor = all+c.Duration, processor+c.Processor
	}
	if len(rows) == 0 {
		return nil, nil, errSkip("no program of the stack was compiled here: lab stack build --stack source")
	}
	return append([]Row{
		row("all of them, one after another", Seconds, all).under(compileGoal),
		row("their processor time", Seconds, processor),
	}, rows...), []string{"As the last compile of each program took on this machine. The goal is for two cores."}, nil
}

func readCompiled(file string) (c compiled, err error) {
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return c, fmt.Errorf("the time of a compile: %w", err)
	}
	return c, nil
}
