// Package converter stands in for Alloy's converters in a lean Alloy. The lab's
// configuration is written for Alloy, so there is nothing to convert.
package converter

import (
	"fmt"

	"github.com/grafana/alloy/internal/converter/diag"
)

// Input is the format of a configuration file.
type Input string

// SupportedFormats are the formats that Convert takes: none.
var SupportedFormats []string

// Convert refuses every configuration, and says which Alloy takes it.
func Convert(_ []byte, kind Input, _ []string) ([]byte, diag.Diagnostics) {
	var diags diag.Diagnostics
	diags.Add(diag.SeverityLevelCritical, fmt.Sprintf("this Alloy was compiled without converters, and cannot read %q: `lab stack build --full` compiles all of Alloy", kind))
	return nil, diags
}
