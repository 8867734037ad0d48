package main

import (
	"fmt"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/progress"
)

// progress returns the printer that shows how far a command is. It writes to standard error,
// so that only the result is on standard output.
func (e *env) progress() *progress.Printer {
	e.once.Do(func() { e.printer = progress.To(e.stderr) })
	return e.printer
}

// say prints a line of progress.
func (e *env) say(line string) { e.progress().Say(line) }

// step prints a line of progress with a mark in front.
func (e *env) step(line string) { e.say("· " + line) }

// line shows a line at the bottom of a terminal and replaces the line before; "" removes
// it. Without a terminal on standard error it does nothing.
func (e *env) line(text string) { e.progress().Status(text) }

// transfer shows how far a download is.
func (e *env) transfer(name string) func(done, total int64) {
	return func(done, total int64) {
		text := fmt.Sprintf("· %s: %s of %s MB", name, megabytes(done), megabytes(total))
		if done < total {
			e.progress().Update(name, text)
			return
		}
		e.say(text)
	}
}
