package cluster

import (
	"fmt"
	"strings"

	"sigs.k8s.io/kind/pkg/log"
)

// logger turns Kind's log into lines of progress, one for each step of making a cluster.
type logger struct{ progress func(string) }

// Warn implements log.Logger.
func (l logger) Warn(message string) { l.step(message) }

// Warnf implements log.Logger.
func (l logger) Warnf(format string, args ...any) { l.step(fmt.Sprintf(format, args...)) }

// Error implements log.Logger. It does nothing, because Kind also returns the error.
func (l logger) Error(string) {}

// Errorf implements log.Logger.
func (l logger) Errorf(string, ...any) {}

// V implements log.Logger.
func (l logger) V(level log.Level) log.InfoLogger {
	if level > 0 {
		return log.NoopInfoLogger{}
	}
	return l
}

// Info implements log.InfoLogger.
func (l logger) Info(message string) { l.step(message) }

// Infof implements log.InfoLogger.
func (l logger) Infof(format string, args ...any) { l.step(fmt.Sprintf(format, args...)) }

// Enabled implements log.InfoLogger.
func (l logger) Enabled() bool { return true }

// step prints the beginning of a step (" • Starting control-plane 🕹️  ..."), in plain
// letters. It ignores the end of a step (" ✓ …"), because the next step follows.
func (l logger) step(message string) {
	text := strings.TrimSpace(message)
	if !strings.HasPrefix(text, "•") {
		return
	}
	text = strings.Map(func(r rune) rune {
		if r > '~' {
			return -1
		}
		return r
	}, text)
	l.progress("cluster: " + strings.ToLower(strings.Join(strings.Fields(strings.TrimSuffix(strings.TrimSpace(text), "...")), " ")))
}
