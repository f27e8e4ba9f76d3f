cwlVersion: v1.2
class: Workflow
label: Scan the chunks of a FASTA file in parallel
doc: |
  Splits by records, scans every chunk, and joins the tables in order. They are those of one scan, byte for byte.

requirements:
  ScatterFeatureRequirement: {}

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
      cut_ga: cut_ga
    out: [hits, domain_table]
  join_hits:
    run: join-tables.cwl
    in: {tables: scan/hits}
    out: [joined]
  join_domains:
    run: join-tables.cwl
    in:
      tables: {source: [scan/domain_table], linkMerge: merge_flattened, pickValue: all_non_null}
    out: [joined]

outputs:
  hits:
    type: File
    outputSource: join_hits/joined
  domain_table:
    type: File
    outputSource: join_domains/joined
