package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cachedir"
)

// compileGoal is the goal of the wall time of compiling all programs of the stack, in
// seconds, on two cores.
const compileGoal = 12 * 60

// compiled is what `lab stack build` notes beside a program that it has compiled.
type compiled struct {
	Seconds  float64 `json:"compile_seconds"`
	Compiled int     `json:"compiled_packages"`
	Packages int     `json:"packages"`
	Lean     bool    `json:"lean"`
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
	files, err := filepath.Glob(filepath.Join(cache, "source", "*", "program.json"))
	if err != nil {
		return nil, nil, err
	}
	var rows []Row
	all := 0.0
	for _, file := range files {
		c, err := readCompiled(file)
		if err != nil {
			return nil, nil, err
		}
		if c.Seconds == 0 {
			continue // compiled by a lab that did not note it
		}
		name := filepath.Base(filepath.Dir(file))
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // without the key of the recipe
		}
		if c.Lean {
			name += ", lean"
		}
		rows = append(rows, row(fmt.Sprintf("%s, %d of its %d packages", name, c.Compiled, c.Packages), Seconds, c.Seconds))
		all += c.Seconds
	}
	if len(rows) == 0 {
		return nil, nil, errSkip("no compile of the stack's programs is noted here: lab stack build --stack source, with an empty --cache and an empty Go cache for a cold one")
	}
	return append([]Row{row("all of them, one after another", Seconds, all).under(compileGoal)}, rows...),
		[]string{"As the last compile of each program took on this machine, which may have been busy with other work. Packages that it did not compile were in Go's cache. The goal is for all packages, on two cores."}, nil
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
