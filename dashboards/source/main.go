// Command source writes the lab's dashboards as JSON for Grafana into the working
// directory. `go generate ./dashboards` runs it. Each dashboard is a function of this
// package, built from the panels in panels.go and the queries in queries.go.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// pages are the dashboards by the names of their files.
var pages = map[string]func() *page{
	"overview.json":    overview,
	"performance.json": performance,
	"stack.json":       stack,
}

func main() {
	for name, build := range pages {
		if err := write(name, build); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

func write(name string, build func() *page) error {
	data, err := render(build)
	if err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

// plain undoes the escapes for HTML that Go's encoder makes in queries.
var plain = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")

// render returns a dashboard's file.
func render(build func() *page) ([]byte, error) {
	d, err := build().board.Build()
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, err
	}
	return []byte(plain.Replace(string(data)) + "\n"), nil
}
