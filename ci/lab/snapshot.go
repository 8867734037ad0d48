package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/snapshot"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// defaultSnapshot is the file that the page is written to unless told otherwise.
const defaultSnapshot = "lab-snapshot.html"

// toStdout is the FILE that stands for standard output.
const toStdout = "-"

func snapshotCommand(e *env) *cobra.Command {
	var f snapshotFlags
	cmd := &cobra.Command{
		Use:   "snapshot [FILE]",
		Short: "Draw every panel of the dashboards into one HTML page",
		Long: `snapshot runs every query of every panel of the dashboards against the running lab
and draws them into one static HTML page, ` + defaultSnapshot + ` unless FILE says otherwise,
or - for standard output. The page refers to nothing outside of itself and needs no
script: it is what a person opens after a CI run, and what stands in for Grafana on
a machine that has none. With --png it is drawn as a picture too, by the Chromium or
Chrome on PATH or in $CHROME.

It prints the panels with the number of series that each query returned, and exits
with 1 when a query was not answered. A panel without data that should have some is
marked on the page; ` + "`lab verify`" + ` is what judges it.`,
		Args: atMostOne("file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.file = defaultSnapshot; len(args) == 1 {
				f.file = args[0]
			}
			return e.snapshot(cmd, &f)
		},
	}
	e.registerTarget(cmd)
	f.register(cmd)
	return cmd
}

func (e *env) snapshot(cmd *cobra.Command, f *snapshotFlags) error {
	o, err := f.options(cmd)
	if err != nil {
		return err
	}
	o.Progress = e.step
	if f.png != "" {
		if f.file == toStdout {
			return usageError{fmt.Errorf("--png needs the page in a file, and - is none")}
		}
		// Found out before the work, and not after it.
		if f.browser, err = snapshot.FindBrowser(e.getenv("CHROME")); err != nil {
			return err
		}
	}
	t, err := e.lab()
	if err != nil {
		return err
	}
	// The page of a lab elsewhere comes in what the command there prints.
	args := append([]string{"snapshot", toStdout}, given(cmd, "last")...)
	for _, assignment := range f.variables {
		args = append(args, "--var="+assignment)
	}
	if o.Commit != "" {
		args = append(args, "--commit="+o.Commit)
	}
	l, err := target.Do(cmd.Context(), t, target.Work[snapshot.Listing]{
		Args: args, Asks: []string{target.Loki, target.Tempo, target.Mimir}, Remark: e.say,
		Here: func(ctx context.Context, at target.Addresses) (snapshot.Listing, error) {
			o.Addresses, o.Kubernetes = at, at.InCluster()
			return snapshot.Draw(ctx, o)
		},
	})
	if err != nil {
		return err
	}
	return e.writeSnapshot(cmd.Context(), l, f)
}

// writeSnapshot writes the page and the picture and prints the list. It fails when
// a query did, once all is written.
func (e *env) writeSnapshot(ctx context.Context, l snapshot.Listing, f *snapshotFlags) error {
	page, err := snapshot.DecodePage(l.Page)
	if err != nil {
		return err
	}
	list := e.stdout
	switch {
	case f.file != toStdout:
		if err := os.WriteFile(f.file, page, 0o644); err != nil {
			return err
		}
		l.File, l.Page = f.file, nil
	case f.output == "table": // standard output is the page
		if _, err := e.stdout.Write(page); err != nil {
			return err
		}
		list = e.stderr
	}
	if f.png != "" {
		e.step("drawing " + f.png + " with " + filepath.Base(f.browser))
		if err := snapshot.ScreenshotFile(ctx, f.browser, f.file, f.png); err != nil {
			return err
		}
	}
	write := func() error { return l.WriteText(list, len(page)) }
	if f.output == "json" {
		write = func() error { return report.Encode(list, kindSnapshot, l) }
	}
	if err := write(); err != nil {
		return err
	}
	if !l.OK {
		return errFailed
	}
	return nil
}
