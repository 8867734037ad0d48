// Package gotool runs the go command for the lab: the compiles of the stack's
// programs, of the two services and of the image builder.
//
// There is one environment for all of them (see [Env]), and one way to end them:
// a compile starts dozens of processes, and all have ended when [Command.Run] returns.
package gotool

import (
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// passed are the Go settings of the user that reach the go command. They say where
// modules come from, where caches are, which Go to take and how much of the machine
// a compile may have. They do not change the program.
var passed = []string{
	"GOAUTH", "GOINSECURE", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOVCS", // the network
	"GOCACHE", "GOCACHEPROG", "GOENV", "GOMODCACHE", "GOPATH", "GOTMPDIR", // folders
	"GOROOT", "GOTOOLCHAIN",
	"GOGC", "GOMAXPROCS", "GOMEMLIMIT",
}

// fixed are the settings that decide the result of a compile. Each is given a value: for
// a variable that is absent or empty, the go command takes the value that `go env -w`
// has stored.
func fixed() []string {
	settings := []string{
		"CGO_ENABLED=0",
		"GO111MODULE=on",
		"GOARCH=" + runtime.GOARCH,
		"GOEXPERIMENT=,", // no name between the commas: those of the Go release, no more and no fewer
		"GOFIPS140=off",
		"GOFLAGS=-mod=readonly -buildvcs=false", // go.sum decides; the commit is not part of a program
		"GOOS=" + runtime.GOOS,
		"GOWORK=off",
	}
	switch runtime.GOARCH { // the least that every such processor has
	case "amd64":
		settings = append(settings, "GOAMD64=v1")
	case "arm64":
		settings = append(settings, "GOARM64=v8.0")
	}
	return settings
}

// setting matches the variables that configure the go command, its compiler and
// its linker. Other programs' variables that begin with GO have an underscore, as
// GOOGLE_CLOUD_PROJECT.
var setting = regexp.MustCompile(`^(GO[A-Z0-9]+|CGO_.*|GO_EXTLINK_ENABLED|GO_LDSO)$`)

// Env is the environment of every go command that the lab runs: that of this
// process, where a Go setting passes only if it changes nothing in what is
// compiled. more are settings for one command, as "GOTMPDIR=/tmp/x"; they win.
func Env(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		name = strings.ToUpper(name) // Windows does not tell them apart
		return setting.MatchString(name) && !slices.Contains(passed, name)
	})
	return append(append(env, fixed()...), more...)
}
