package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// profile writes a profile of the processor time that the program uses for so long into the
// folder, if there is one and the program serves profiles. The function that it returns
// waits for the end of the profile.
func profile(ctx context.Context, o Options, p *program, what string, d time.Duration) (wait func()) {
	if o.Profiles == "" || p.profiles == "" {
		return func() {}
	}
	file := filepath.Join(o.Profiles, strings.ReplaceAll(p.name+" "+what, " ", "-")+".pprof")
	done := make(chan error, 1)
	go func() {
		done <- download(ctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%.0f", p.profiles, d.Seconds()), file)
	}()
	return func() {
		if err := <-done; err != nil {
			o.Say("  no profile: " + err.Error())
		}
	}
}

// download writes what is at the URL to a file.
func download(ctx context.Context, url, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := httpClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, res.Status)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, res.Body); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
