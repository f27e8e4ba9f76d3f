cwlVersion: v1.2
class: CommandLineTool
label: Join the tables of consecutive chunks
doc: |
  Writes the header of the first table, the rows of all in order, and the trailer of the last: of the TSV table, of
  hmmscan's --tblout and --domtblout, of GFF3 and of JSON Lines.
baseCommand: [sh, -euc]

inputs:
  tables:
    type:
      type: array
      items: [File, "null"]
    inputBinding: {position: 1}

arguments:
  - position: 0
    valueFrom: |
      awk '
          FNR == 1 { trailer = "" }
          FNR <= 3 && /^#(target_name\t| target name |  |---|#gff-version )/ {
              if (!headed) headed = FILENAME
              if (headed == FILENAME) print
              next
          }
          $0 == "#" || trailer { trailer = trailer $0 "\n"; next }
          { print }
          END { printf "%s", trailer }' "$@"
  - position: 0
    valueFrom: join-tables

stdout: $(inputs.tables[0].basename)

outputs:
  joined: stdout
