// Command traceql says whether TraceQL queries are valid, by the parser of the Tempo that
// this module pins: the one that the lab runs when it is compiled from source.
//
// It reads a JSON array of queries from standard input and writes an array of as
// many strings to standard output: what is wrong with each, "" for nothing.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/grafana/tempo/pkg/traceql"
)

func main() {
	var queries []string
	if err := json.NewDecoder(os.Stdin).Decode(&queries); err != nil {
		fmt.Fprintln(os.Stderr, "reading a JSON array of queries:", err)
		os.Exit(1)
	}
	problems := make([]string, len(queries))
	for i, q := range queries {
		if _, err := traceql.Parse(q); err != nil {
			problems[i] = err.Error()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(problems); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
