"""Taking a model home: as a folder for `load_model`, as one plain Python file, or as ONNX."""

from nas_rnn.export.folder import example_inputs, folder_files, load_folder, load_model
from nas_rnn.export.trained import ExportBundle, TaskModelBundle
from nas_rnn.export.writing import FORMATS, export_files, output_path

__all__ = [
    "FORMATS",
    "ExportBundle",
    "TaskModelBundle",
    "example_inputs",
    "export_files",
    "folder_files",
    "load_folder",
    "load_model",
    "output_path",
]
