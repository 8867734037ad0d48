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
and draws the panels into one static HTML page: FILE, or ` + defaultSnapshot + `; with -
the page goes to standard output. The page needs no other file and no script. Open it
after a CI run, or on a machine without Grafana. With --png, the Chromium or Chrome on
PATH or in $CHROME draws the page as a picture, too.

The command prints the panels with the number of series that each query returned, and
exits with 1 when a query was not answered. The page marks a panel that lacks data;
` + "`lab verify`" + ` decides whether that is a failure.`,
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
			return usageError{fmt.Errorf("--png needs the page in a file: give a FILE instead of -")}
		}
		// A missing browser is an error before the work begins.
		if f.browser, err = snapshot.FindBrowser(e.getenv("CHROME")); err != nil {
			return err
		}
	}
	t, err := e.lab()
	if err != nil {
		return err
	}
	// In a cluster, the command in the Job prints the page as part of its JSON.
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

// writeSnapshot writes the page and the picture and prints the list. After that it returns
// errFailed when a query has failed.
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
