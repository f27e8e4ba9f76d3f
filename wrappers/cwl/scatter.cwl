cwlVersion: v1.2
class: Workflow
label: Scan the chunks of a FASTA file, plain or gzip, in parallel
doc: |
  Splits by records, scans every chunk, and joins the tables in order. They are those of one scan, byte for byte.

requirements:
  ScatterFeatureRequirement: {}
  MultipleInputFeatureRequirement: {}

inputs:
  proteins:
    type: File
  chunks:
    type: int
    default: 8
  model: Directory?
  profiles:
    type: File?
  output: {type: string, default: hits.tsv}
  domtblout: {type: string, default: hits.domtblout}
  tblout: {type: string, default: hits.tblout}
  gff3: {type: string, default: hits.gff3}
  json_lines: {type: string, default: hits.jsonl}
  cut_ga: boolean?

steps:
  split:
    run: split-fasta.cwl
    in: {proteins: proteins, chunks: chunks}
    out: [parts]
  scan:
    run: pfamnet-scan.cwl
    scatter: proteins
    in:
      proteins: split/parts
      model: model
      profiles: profiles
      output: output
      domtblout: domtblout
      tblout: tblout
      gff3: gff3
      json_lines: json_lines
      cut_ga: cut_ga
    out: [hits, domain_table, family_table, features, json]
  join:
    run: join-tables.cwl
    scatter: tables
    in:
      tables:
        source: [scan/hits, scan/domain_table, scan/family_table, scan/features, scan/json]
    out: [joined]

outputs:
  tables:
    type: File[]
    doc: The TSV table, the table of domains, the table of families, GFF3 and JSON Lines.
    outputSource: join/joined
