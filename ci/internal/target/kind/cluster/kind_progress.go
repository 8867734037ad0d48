package cluster

import (
	"fmt"
	"strings"

	"sigs.k8s.io/kind/pkg/log"
)

// logger passes on what Kind says about the steps of making a cluster.
type logger struct{ progress func(string) }

// Warn implements log.Logger.
func (l logger) Warn(message string) { l.step(message) }

// Warnf implements log.Logger.
func (l logger) Warnf(format string, args ...any) { l.step(fmt.Sprintf(format, args...)) }

// Error implements log.Logger. Kind returns an error besides.
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

// step passes on the beginning of a step (" • Starting control-plane 🕹️  ..."),
// in plain letters. Its end (" ✓ …") follows at once or with the next step.
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
