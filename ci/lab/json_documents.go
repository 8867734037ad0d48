package main

import (
	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// The kinds of the JSON documents that the commands print; see report.Encode. The kinds of
// reports, "checks" and "traffic", are in their packages. docs/json.md names the fields.
const (
	kindStatus       = "status"       // a target.Status
	kindSnapshot     = "snapshot"     // a snapshot.Listing
	kindImages       = "images"       // an imagesDocument
	kindImageCheck   = "image_check"  // an imageCheckDocument
	kindBuiltImages  = "built_images" // a builtDocument
	kindArchives     = "archives"     // an archivesDocument
	kindServices     = "services"     // a services.List
	kindInspection   = "inspection"   // an inspect.Inspection
	kindTrace        = "trace"        // a traceview.Trace
	kindScore        = "score"        // a scoreDocument
	kindRun          = "run"          // a runReport
	kindBench        = "bench"        // a bench.Report
	kindChaos        = "chaos"        // a chaos.Result
	kindObservation  = "observation"  // a chaos.Observation
	kindCertificates = "certificates" // a certificates.Set
)

// imagesDocument is the JSON of `lab images list`.
type imagesDocument struct {
	// Images are the references, tag and digest, by the names in the lock.
	Images map[string]string `json:"images"`
}

// imageCheckDocument is the JSON of `lab images check`.
type imageCheckDocument struct {
	Images   int              `json:"images"`
	Findings []images.Finding `json:"findings"`
}

// builtDocument is the JSON of `lab images build` and `lab images reproduce`.
type builtDocument struct {
	Images []build.Image `json:"images"`
}

// archivesDocument is the JSON of `lab images pull` and `lab images pack`.
type archivesDocument struct {
	Archives []archiveRow `json:"archives"`
}

// archiveRow is an image of the lock as a file.
type archiveRow struct {
	Name string `json:"name"`
	images.Archive
}
