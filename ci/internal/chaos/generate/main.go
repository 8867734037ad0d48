// Command generate writes docs/promises.md from the promises, the scenarios and what they last
// measured. Files that it is given are results of `lab chaos -o json`: their figures replace
// the older ones in figures.json.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/chaos"
)

func main() {
	if err := generate(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate(results []string) error {
	figures, err := chaos.Figures()
	if err != nil {
		return err
	}
	for _, name := range results {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var r chaos.Result
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		figures = chaos.Merge(figures, r)
	}
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile("figures.json", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile("../../../docs/promises.md", []byte(chaos.Page(figures)), 0o644)
}
