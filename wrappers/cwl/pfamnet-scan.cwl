cwlVersion: v1.2
class: CommandLineTool
label: Find protein domains with pfamnet
doc: |
  Finds the protein domains of each sequence of a FASTA file. A network proposes families and profile HMMs place
  them; tables and numbers are hmmscan's. An output is written if its file name is given.
baseCommand: pfamnet-scan

$namespaces:
  edam: http://edamontology.org/

hints:
  SoftwareRequirement:
    packages:
      pfamnet:
        version: ["1.0.0"]
  ResourceRequirement:
    coresMin: 1
    ramMin: 1024
requirements:
  InitialWorkDirRequirement:  # the tables then name the files without a path
    listing: [$(inputs.proteins), $(inputs.model), $(inputs.profiles)]

inputs:
  proteins:
    type: File
    doc: Protein sequences as FASTA, plain or compressed.
    inputBinding: {position: 3, valueFrom: $(self.basename)}
  model:
    type: Directory?
    doc: A model made by pfamnet-build; without model and profiles, the one that ships with pfamnet.
    inputBinding: {position: 1, valueFrom: $(self.basename)}
  profiles:
    type: File?
    doc: An HMM database instead of a model; every profile is searched, as by hmmscan.
    inputBinding: {position: 2, valueFrom: $(self.basename)}
  output:
    type: string
    default: hits.tsv
    doc: File of the main output.
    inputBinding: {prefix: -o}
  report:
    type:
      - "null"
      - type: enum
        symbols: [tsv, text, html]
    doc: Main output as table (the default), text report or web page.
    inputBinding: {prefix: --report}
  domtblout:
    type: string?
    doc: File of hmmscan's table of domains.
    inputBinding: {prefix: --domtblout}
  tblout:
    type: string?
    doc: File of hmmscan's table of families.
    inputBinding: {prefix: --tblout}
  gff3:
    type: string?
    doc: File of the domains as GFF3 features.
    inputBinding: {prefix: --gff3}
  json_lines:
    type: string?
    doc: File of the hits as JSON, one line for each query.
    inputBinding: {prefix: --json-lines}
  cut_ga:
    type: boolean?
    doc: Use the gathering cutoffs of the profiles.
    inputBinding: {prefix: --cut_ga}
  evalue:
    type: double?
    doc: Report families up to this E-value.
    inputBinding: {prefix: -E}
  domain_evalue:
    type: double?
    doc: Report domains up to this E-value.
    inputBinding: {prefix: --domE}
  clan_overlaps:
    type:
      - "null"
      - type: enum
        symbols: [all, best]
    doc: Report overlapping domains of a clan; all, or the best one.
    inputBinding: {prefix: --clan-overlaps}
  fast:
    type: boolean?
    doc: Search fewer candidate families.
    inputBinding: {prefix: --fast}
  sensitive:
    type: boolean?
    doc: Search more candidate families, with fewer filters.
    inputBinding: {prefix: --sensitive}

arguments:
  - --no-date
  - prefix: --cpu
    valueFrom: $(runtime.cores)

outputs:
  hits:
    type: File
    outputBinding: {glob: $(inputs.output)}
  domain_table:
    type: File?
    outputBinding: {glob: $(inputs.domtblout)}
  family_table:
    type: File?
    outputBinding: {glob: $(inputs.tblout)}
  features:
    type: File?
    format: edam:format_1975
    outputBinding: {glob: $(inputs.gff3)}
  json:
    type: File?
    outputBinding: {glob: $(inputs.json_lines)}
