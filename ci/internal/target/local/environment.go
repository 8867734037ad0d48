package local

import (
	"runtime"
	"slices"
	"strings"
)

// passed are the variables that the lab's programs get from whoever runs lab: those
// that say where things are on this machine. No other is passed: the programs and their
// libraries read many variables, such as JAEGER_*, OTEL_*, GOGC and all that a
// configuration file names, and the lab must be the same whatever a shell exports.
var passed = []string{"PATH", "HOME", "USER", "LOGNAME", "TMPDIR"}

// passedOnWindows are those without which programs do not start there.
var passedOnWindows = []string{
	"PATH", "PATHEXT", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "TEMP", "TMP", "USERNAME", "USERPROFILE",
	"HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
}

// environment returns those of the variables that are passed. A component's own are
// added to them.
func environment(all []string) []string { return passedOn(runtime.GOOS, all) }

func passedOn(system string, all []string) []string {
	var some []string
	for _, entry := range all {
		name, _, _ := strings.Cut(entry, "=")
		if system == "windows" { // where names have no case
			name = strings.ToUpper(name)
			if slices.Contains(passedOnWindows, name) {
				some = append(some, entry)
			}
		} else if slices.Contains(passed, name) {
			some = append(some, entry)
		}
	}
	return some
}
