"""The engine `diffusers`: the real models that the library of this name has pipelines for, level `full`."""

from typing import Final

from unitask.runtime.engine import ModelEngine

LIBRARIES: Final = (
    "accelerate",
    "av",
    "cv2",
    "diffusers",
    "numpy",
    "peft",
    "PIL",
    "safetensors",
    "torch",
    "transformers",
)
MAKES: Final = {
    "controlnet": f"{__name__}.flux_control:controlnet",
    "framepack": f"{__name__}.framepack:image_to_video",
    "hug": f"{__name__}.wan:hug",
    "hunyuan_image_to_video": f"{__name__}.hunyuan:image_to_video",
    "hunyuan_text_to_video": f"{__name__}.hunyuan:text_to_video",
    "image_to_image": f"{__name__}.flux:image_to_image",
    "inpaint": f"{__name__}.flux_edit:inpaint",
    "kontext": f"{__name__}.flux_edit:kontext",
    "music": f"{__name__}.ace_step:music",
    "music_edit": f"{__name__}.ace_step:music_edit",
    "music_extend": f"{__name__}.ace_step:music_extend",
    "music_from_audio": f"{__name__}.ace_step:music_from_audio",
    "outpaint": f"{__name__}.flux_edit:outpaint",
    "redux": f"{__name__}.flux_edit:redux",
    "skyreels": f"{__name__}.hunyuan:skyreels",
    "text_to_image": f"{__name__}.flux:text_to_image",
    "wan_camera_move": f"{__name__}.camera:camera_move",
    "wan_image_to_video": f"{__name__}.wan:image_to_video",
    "wan_keyframes": f"{__name__}.wan:keyframes",
    "wan_text_to_video": f"{__name__}.wan:text_to_video",
}
TOGETHER: Final = {
    "text_to_image": (f"{__name__}.flux:texts_to_images", f"{__name__}.flux:alike"),
}

ENGINE = ModelEngine("diffusers", LIBRARIES, MAKES, TOGETHER)
