// Command generate writes docs/promises.md from the promises and the scenarios.
package main

import (
	"fmt"
	"os"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/chaos"
)

func main() {
	if err := os.WriteFile("../../../docs/promises.md", []byte(chaos.Page()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
